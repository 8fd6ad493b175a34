package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/containerd/stargz-snapshotter/estargz/zstdchunked"
	"github.com/klauspost/compress/zstd"
	"go.podman.io/storage/pkg/chunked/compressor"
)

type makeAnswer struct {
	Annotations map[string]string `json:"annotations"`
}

// makePodmanCommand writes the blob that `podman push --compression-format zstd:chunked` would.
func makePodmanCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("make-podman", flag.ContinueOnError)
	level := flags.Int("level", 3, "zstd level")
	positional, err := parse(flags, arguments, 2)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{}
	return makeAnswer{annotations}, transform(positional[0], positional[1], func(tar io.Reader, out io.Writer) error {
		writer, err := compressor.ZstdCompressor(out, annotations, level)
		if err != nil {
			return err
		}
		_, err = io.Copy(writer, tar)
		return errors.Join(err, writer.Close())
	})
}

// makeStargzCommand writes the blob that `ctr-remote image convert --zstdchunked` would, except that the tar is kept as it is.
func makeStargzCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("make-stargz", flag.ContinueOnError)
	chunkSize := flags.Int("chunk-size", 0, "bytes; 0 is the library's own")
	positional, err := parse(flags, arguments, 2)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{}
	return makeAnswer{annotations}, transform(positional[0], positional[1], func(tar io.Reader, out io.Writer) error {
		compressor := &zstdchunked.Compressor{CompressionLevel: zstd.SpeedDefault, Metadata: annotations}
		writer := estargz.NewWriterWithCompressor(out, compressor)
		writer.ChunkSize = *chunkSize
		if err := writer.AppendTarLossLess(tar); err != nil {
			return err
		}
		tocDigest, err := writer.Close()
		annotations[estargz.TOCJSONDigestAnnotation] = tocDigest.String()
		return err
	})
}

func transform(from, to string, with func(io.Reader, io.Writer) error) error {
	tar, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(with(bytes.NewReader(tar), out), out.Close())
}
