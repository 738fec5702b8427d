module asherah-napi-interop

go 1.26.0

toolchain go1.26.8

require (
	github.com/godaddy/asherah/go/appencryption v0.9.0
	github.com/mattn/go-sqlite3 v1.14.53
)

require (
	github.com/awnumar/memcall v0.4.0 // indirect
	github.com/awnumar/memguard v0.22.5 // indirect
	github.com/aws/aws-sdk-go v1.55.8 // indirect
	github.com/godaddy/asherah/go/securememory v0.1.7 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20201227073835-cf1acfcdf475 // indirect
	golang.org/x/crypto v0.35.0 // indirect
	golang.org/x/sys v0.34.0 // indirect
)
