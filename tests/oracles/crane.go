package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sort"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

type craneAnswer struct {
	Digest       string            `json:"digest"`
	MediaType    string            `json:"media_type"`
	Layers       map[string]int64  `json:"layers"` // bytes of each, which had its digest
	Config       string            `json:"config"`
	Tags         []string          `json:"tags"`
	Repositories []string          `json:"repositories"`
	Referrers    map[string]string `json:"referrers"` // digest → artifact type
	Filtered     []string          `json:"filtered"`  // those of the type that was asked for
	Missing      string            `json:"missing"`   // what was said of a tag that is not there
}

// craneCommand asks a registry everything that a client for reading can ask, as crane, ko and kaniko do.
func craneCommand(arguments []string) (any, error) {
	flags := flag.NewFlagSet("crane", flag.ContinueOnError)
	insecure := flags.Bool("insecure", false, "plain http")
	pages := flags.Int("pages", 2, "entries in a page of a list")
	artifactType := flags.String("artifact-type", "", "of referrers to ask for")
	positional, err := parse(flags, arguments, 1)
	if err != nil {
		return nil, err
	}
	var options []name.Option
	if *insecure {
		options = append(options, name.Insecure)
	}
	reference, err := name.ParseReference(positional[0], options...)
	if err != nil {
		return nil, err
	}
	return crane(reference, *pages, *artifactType)
}

func crane(reference name.Reference, pages int, artifactType string) (*craneAnswer, error) {
	ctx := context.Background()
	head, err := remote.Head(reference)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	descriptor, err := remote.Get(reference)
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if head.Digest != descriptor.Digest || head.Size != descriptor.Size || head.MediaType != descriptor.MediaType {
		return nil, fmt.Errorf("HEAD said %+v and GET %+v", head, descriptor.Descriptor)
	}
	answer := &craneAnswer{
		Digest: descriptor.Digest.String(), MediaType: string(descriptor.MediaType),
		Layers: map[string]int64{}, Referrers: map[string]string{},
	}
	if err := answer.readImage(descriptor); err != nil {
		return nil, err
	}
	repository := reference.Context()
	if answer.Tags, err = remote.List(repository, remote.WithPageSize(pages)); err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	if answer.Repositories, err = remote.Catalog(ctx, repository.Registry, remote.WithPageSize(pages)); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	digest := repository.Digest(answer.Digest)
	if err := answer.readReferrers(digest, artifactType); err != nil {
		return nil, err
	}
	_, err = remote.Get(repository.Tag("there-is-no-such-tag"))
	if transportError, is := err.(*transport.Error); is && transportError.StatusCode == http.StatusNotFound {
		for _, one := range transportError.Errors {
			answer.Missing = string(one.Code)
		}
	}
	return answer, nil
}

func (answer *craneAnswer) readImage(descriptor *remote.Descriptor) error {
	image, err := descriptor.Image()
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		stream, err := layer.Compressed() // compared with its digest as it is read
		if err != nil {
			return err
		}
		size, err := io.Copy(io.Discard, stream)
		if err != nil {
			return fmt.Errorf("layer: %w", err)
		}
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		answer.Layers[digest.String()] = size
	}
	config, err := image.ConfigName()
	if err != nil {
		return err
	}
	answer.Config = config.String()
	return nil
}

func (answer *craneAnswer) readReferrers(digest name.Digest, artifactType string) error {
	list := func(options ...remote.Option) (*v1.IndexManifest, error) {
		index, err := remote.Referrers(digest, options...)
		if err != nil {
			return nil, fmt.Errorf("referrers: %w", err)
		}
		return index.IndexManifest()
	}
	all, err := list()
	if err != nil {
		return err
	}
	for _, one := range all.Manifests {
		answer.Referrers[one.Digest.String()] = one.ArtifactType
	}
	if artifactType == "" {
		return nil
	}
	some, err := list(remote.WithFilter("artifactType", artifactType))
	if err != nil {
		return err
	}
	for _, one := range some.Manifests {
		answer.Filtered = append(answer.Filtered, one.Digest.String())
	}
	sort.Strings(answer.Filtered)
	return nil
}
