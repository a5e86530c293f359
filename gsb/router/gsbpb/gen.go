package gsbpb

// Generated with protoc 3.21.12 (Debian protobuf-compiler) and protoc-gen-go of
// the google.golang.org/protobuf that go.mod names (v1.36.12):
//
//	GOBIN=$PWD/bin go install google.golang.org/protobuf/cmd/protoc-gen-go
//	PATH=$PWD/bin:$PATH go generate ./gsb/router/gsbpb
//
//go:generate protoc -I ../../.. --go_out=../../.. --go_opt=paths=source_relative gsb/router/gsbpb/gsb.proto
