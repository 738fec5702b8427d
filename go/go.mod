module asherah-napi

go 1.26.0

toolchain go1.26.8

require (
	github.com/mattn/go-sqlite3 v1.14.53 // indirect
	github.com/segmentio/asm v1.2.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
