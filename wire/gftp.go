package wire

import (
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/p2p"
)

const gftpService = "/public/gftp" // one file or upload slot: At(name)

// GftpChunkSize is how much of a file one message carries, in bytes.
const GftpChunkSize = 40 << 10

// Messages from whoever copies a file to the node that has it, at the file's
// name: the SHA3-256 of its content, in hex. Knowing the name is the permission
// to read.
var (
	// GftpMetadata asks for the size of a file.
	GftpMetadata = gsb.Method[gsb.Unit, GftpMetadataReply]{Service: gftpService, Name: "GetMetadata", Channel: p2p.Transfer, Errors: GftpErrors}

	// GftpGetChunk asks for a part of a file. The answer is shorter than asked
	// for only at the file's end; an offset beyond it is an error.
	GftpGetChunk = gsb.Method[GftpGetChunkRequest, GftpChunk]{Service: gftpService, Name: "GetChunk", Channel: p2p.Transfer, Errors: GftpErrors}
)

// Messages from whoever uploads a file to the node that wants it, at the random
// name of an upload slot. Knowing the name is the permission to write.
var (
	// GftpUploadChunk writes a part of the file. Chunks come in any order and
	// may come twice.
	GftpUploadChunk = gsb.Method[GftpUploadChunkRequest, gsb.Unit]{Service: gftpService, Name: "UploadChunk", Channel: p2p.Transfer, Errors: GftpErrors}

	// GftpUploadFinished says that all chunks have been acknowledged. The
	// receiver compares the hash, if there is one, and answers ErrGftpIntegrity
	// where it differs.
	GftpUploadFinished = gsb.Method[GftpUploadFinishedRequest, gsb.Unit]{Service: gftpService, Name: "UploadFinished", Channel: p2p.Transfer, Errors: GftpErrors}
)

// GftpMetadataReply is the answer to [GftpMetadata].
type GftpMetadataReply struct {
	FileSize uint64 `flex:"fileSize"`
}

// GftpGetChunkRequest is the body of [GftpGetChunk].
type GftpGetChunkRequest struct {
	Offset uint64 `flex:"offset"`
	Size   uint64 `flex:"size"`
}

// GftpChunk is a part of a file.
type GftpChunk struct {
	Offset  uint64 `flex:"offset"`
	Content []byte `flex:"content"`
}

// GftpUploadChunkRequest is the body of [GftpUploadChunk].
type GftpUploadChunkRequest struct {
	Chunk GftpChunk `flex:"chunk"`
}

// GftpUploadFinishedRequest is the body of [GftpUploadFinished].
type GftpUploadFinishedRequest struct {
	Hash *string `flex:"hash"` // SHA3-256 of the whole file, in hex
}

// ErrGftpIntegrity says that an upload arrived with another hash than announced.
var ErrGftpIntegrity = golem.Errorf(golem.ErrInvalid, "the file that arrived has another hash than announced")

// GftpErrors is the error enumeration of file transfer: ReadError, which is
// ErrNotFound, WriteError, which is ErrExhausted, InternalError, each with a
// text, and IntegrityError, which is [ErrGftpIntegrity].
var GftpErrors gsb.ErrorForm = gftpErrors{}

type gftpErrors struct{}

func (gftpErrors) Encode(err error) any {
	if err == ErrGftpIntegrity {
		return "IntegrityError"
	}
	variant := "InternalError"
	switch golem.KindOf(err) {
	case golem.ErrNotFound, golem.ErrInvalid, golem.ErrTooLarge:
		variant = "ReadError"
	case golem.ErrExhausted, golem.ErrConflict:
		variant = "WriteError"
	}
	return map[string]any{variant: golem.Public(err)}
}

func (gftpErrors) Decode(v flexbuffers.Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return gsb.Garbled(v)
	}
	if strings.EqualFold(name, "IntegrityError") {
		return ErrGftpIntegrity
	}
	text, err := content.Text()
	if err != nil {
		return gsb.Garbled(v)
	}
	text = gsb.Heard(text)
	switch {
	case strings.EqualFold(name, "ReadError"):
		return golem.Errorf(golem.ErrNotFound, "read error: %s", text)
	case strings.EqualFold(name, "WriteError"):
		return golem.Errorf(golem.ErrExhausted, "write error: %s", text)
	case strings.EqualFold(name, "InternalError"):
		return golem.Errorf(golem.ErrInternal, "internal error: %s", text)
	}
	return gsb.Garbled(v)
}
