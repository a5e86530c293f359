// Package wasm is the runtime for WebAssembly programs: a program of its own,
// ya-runtime-wasm, that obeys the command-line contract between supervisor and
// runtime (spec exeunit.md §12). It runs commands for WASI preview 1.
//
// # Task packages
//
// An image is a zip archive in upstream's format (exeunit.md §19): manifest.json
// names entry points and mount points. Or it is just one .wasm file: then any
// entry point means that module, and the volumes are /in, /out and /work.
//
// # Isolation
//
// A payload runs in a process of its own, which is killed to stop it. Before the
// first instruction of the payload the process gives up what it does not need:
//
//   - On Linux it lives in user, mount, pid, network, ipc and uts namespaces of
//     its own, and its root is an empty directory that cannot be written to.
//   - It has no capabilities, cannot gain privileges, and of the system calls it
//     has those that the engine and the files of the volumes need: none that
//     makes a socket, a process or a mount.
//   - Its memory, file size, open files and CPU time are limited.
//   - Volumes are reached through directories opened before, of which no path
//     leads out, whatever links the payload makes in them ([os.Root]). The
//     engine's own directory mounts would follow such links and are not used.
//
// Where the kernel does not permit namespaces the rest still holds; test and
// offer-template say so, and --isolation=full refuses to run then.
//
// # Speed
//
// deploy compiles every entry point into a cache beside the image, which no
// payload can write to, and deploys without compiling when it is there already.
// The engine's in-process cancellation would cost a multiple of the time of
// every payload and is not used: hence the process for each command.
package wasm
