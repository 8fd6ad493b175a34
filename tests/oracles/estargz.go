package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/containerd/stargz-snapshotter/estargz/zstdchunked"
	"github.com/opencontainers/go-digest"
)

type estargzAnswer struct {
	TOCDigest digest.Digest            `json:"toc_digest"`
	Entries   int                      `json:"entries"`
	Chunks    int                      `json:"chunks"` // read and verified one by one
	Files     map[string]digest.Digest `json:"files"`  // of regular files and hard links, without a leading slash
}

type lazyLayer struct {
	*estargz.Reader
	estargz.TOCEntryVerifier
}

func estargzCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("estargz", flag.ContinueOnError)
	tocDigest := flags.String("toc-digest", "", "what the layer's annotation says")
	positional, err := parse(flags, arguments, 1)
	if err != nil {
		return nil, err
	}
	return readLazily(positional[0], digest.Digest(*tocDigest))
}

// readLazily does what a lazy mount does: footer, TOC, its digest, then file by file and chunk by chunk. Without a digest, the
// TOC vouches for itself.
func readLazily(name string, tocDigest digest.Digest) (*estargzAnswer, error) {
	blob, err := openBlob(name)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	reader, err := estargz.Open(blob.section(), estargz.WithDecompressors(new(zstdchunked.Decompressor)))
	if err != nil {
		return nil, fmt.Errorf("estargz.Open: %w", err)
	}
	if tocDigest == "" {
		tocDigest = reader.TOCDigest()
	}
	verifiers, err := reader.VerifyTOC(tocDigest)
	if err != nil {
		return nil, fmt.Errorf("VerifyTOC: %w", err)
	}
	answer := &estargzAnswer{TOCDigest: reader.TOCDigest(), Files: map[string]digest.Digest{}}
	if answer.Entries, err = countEntries(blob); err != nil {
		return nil, err
	}
	root, found := reader.Lookup("")
	if !found {
		return answer, errors.New("the TOC has no root folder")
	}
	return answer, answer.readFolder(&lazyLayer{reader, verifiers}, root, "")
}

func (answer *estargzAnswer) readFolder(layer *lazyLayer, folder *estargz.TOCEntry, at string) error {
	var failure error
	folder.ForeachChild(func(base string, entry *estargz.TOCEntry) bool {
		name := path.Join(at, base)
		switch entry.Type {
		case "dir":
			failure = answer.readFolder(layer, entry, name)
		case "reg":
			answer.Files[name], failure = answer.readFile(layer, entry)
		}
		return failure == nil
	})
	return failure
}

func (answer *estargzAnswer) readFile(layer *lazyLayer, entry *estargz.TOCEntry) (digest.Digest, error) {
	file, err := layer.OpenFile(entry.Name)
	if err != nil {
		return "", err
	}
	content := sha256.New()
	for offset := int64(0); offset < entry.Size; {
		chunk, found := layer.ChunkEntryForOffset(entry.Name, offset)
		if !found || chunk.ChunkOffset != offset || chunk.ChunkSize <= 0 {
			return "", fmt.Errorf("%s: no chunk starts at %d of %d bytes", entry.Name, offset, entry.Size)
		}
		data := make([]byte, chunk.ChunkSize)
		if _, err := file.ReadAt(data, offset); err != nil {
			return "", fmt.Errorf("%s: chunk at %d: %w", entry.Name, offset, err)
		}
		verifier, err := layer.Verifier(chunk)
		if err != nil {
			return "", fmt.Errorf("%s: %w", entry.Name, err)
		}
		if _, err := io.Copy(io.MultiWriter(verifier, content), bytes.NewReader(data)); err != nil {
			return "", err
		}
		if !verifier.Verified() {
			return "", fmt.Errorf("%s: the chunk at %d does not have its digest", entry.Name, offset)
		}
		answer.Chunks++
		offset += chunk.ChunkSize
	}
	found := digest.NewDigest(digest.SHA256, content)
	if entry.Size > 0 && found.String() != entry.Digest {
		return "", fmt.Errorf("%s: the content has digest %s, the TOC says %s", entry.Name, found, entry.Digest)
	}
	return found, nil
}

// countEntries parses the TOC once more, since estargz.Reader does not show its length.
func countEntries(blob *blobFile) (int, error) {
	decompressor := new(zstdchunked.Decompressor)
	footer := make([]byte, decompressor.FooterSize())
	if _, err := blob.ReadAt(footer, blob.size-int64(len(footer))); err != nil {
		return 0, err
	}
	_, offset, size, err := decompressor.ParseFooter(footer)
	if err != nil {
		return 0, err
	}
	toc, _, err := decompressor.ParseTOC(io.NewSectionReader(blob, offset, size))
	if err != nil {
		return 0, err
	}
	return len(toc.Entries), nil
}

type blobFile struct {
	*os.File
	size int64
}

func openBlob(name string) (*blobFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	status, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &blobFile{file, status.Size()}, nil
}

func (blob *blobFile) section() *io.SectionReader { return io.NewSectionReader(blob, 0, blob.size) }
