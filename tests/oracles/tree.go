package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// treeEntry says of a folder on disk and of a tar the same things in the same words.
type treeEntry struct {
	Type    string            `json:"type"`
	Mode    string            `json:"mode"` // octal
	UID     int               `json:"uid"`
	GID     int               `json:"gid"`
	ModTime int64             `json:"mtime"`
	Size    int64             `json:"size"`
	SHA256  digest.Digest     `json:"sha256,omitempty"`
	Link    string            `json:"link,omitempty"`
	Device  string            `json:"device,omitempty"`
	Xattrs  map[string]string `json:"xattrs,omitempty"`
}

// readTree describes what is below a folder, by path without a leading slash. A hard link is a file like any other.
func readTree(folder string) (map[string]*treeEntry, error) {
	tree := map[string]*treeEntry{}
	err := filepath.WalkDir(folder, func(name string, item fs.DirEntry, err error) error {
		if err != nil || name == folder {
			return err
		}
		relative, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		tree[relative], err = describe(name)
		return err
	})
	return tree, err
}

func describe(name string) (*treeEntry, error) {
	var status syscall.Stat_t
	if err := syscall.Lstat(name, &status); err != nil {
		return nil, err
	}
	entry := &treeEntry{
		Mode:    fmt.Sprintf("%04o", status.Mode&0o7777),
		UID:     int(status.Uid),
		GID:     int(status.Gid),
		ModTime: status.Mtim.Sec,
	}
	var err error
	switch status.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		entry.Type, entry.Size = "reg", status.Size
		entry.SHA256, err = fileDigest(name)
	case syscall.S_IFDIR:
		entry.Type = "dir"
	case syscall.S_IFLNK:
		entry.Type, entry.Mode = "symlink", ""
		entry.Link, err = os.Readlink(name)
	case syscall.S_IFCHR:
		entry.Type = "char"
	case syscall.S_IFBLK:
		entry.Type = "block"
	case syscall.S_IFIFO:
		entry.Type = "fifo"
	default:
		err = fmt.Errorf("%s: unexpected mode %o", name, status.Mode)
	}
	if entry.Type == "char" || entry.Type == "block" {
		entry.Device = fmt.Sprintf("%d:%d", unix.Major(status.Rdev), unix.Minor(status.Rdev))
	}
	if err == nil {
		entry.Xattrs, err = xattrsOf(name)
	}
	return entry, err
}

func fileDigest(name string) (digest.Digest, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return digest.FromReader(file)
}

func xattrsOf(name string) (map[string]string, error) {
	list := make([]byte, 1<<16)
	length, err := unix.Llistxattr(name, list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listxattr %s: %w", name, err)
	}
	var xattrs map[string]string
	for _, key := range strings.Split(strings.TrimSuffix(string(list[:length]), "\x00"), "\x00") {
		if key == "" || key == "security.selinux" {
			continue
		}
		value := make([]byte, 1<<16)
		length, err := unix.Lgetxattr(name, key, value)
		if err != nil {
			return nil, fmt.Errorf("getxattr %s %s: %w", name, key, err)
		}
		if xattrs == nil {
			xattrs = map[string]string{}
		}
		xattrs[key] = string(value[:length])
	}
	return xattrs, nil
}

var tarTypes = map[byte]string{
	tar.TypeReg: "reg", tar.TypeDir: "dir", tar.TypeSymlink: "symlink",
	tar.TypeChar: "char", tar.TypeBlock: "block", tar.TypeFifo: "fifo",
}

// readTar describes a tar as readTree would once it is unpacked.
func readTar(stream io.Reader) (map[string]*treeEntry, error) {
	tree := map[string]*treeEntry{}
	reader := tar.NewReader(stream)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, stream) // so that a reader around the stream sees all of it
			return tree, err
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		if name == "" {
			continue
		}
		if header.Typeflag == tar.TypeLink {
			target, found := tree[strings.TrimPrefix(path.Clean("/"+header.Linkname), "/")]
			if !found {
				return nil, fmt.Errorf("hard link %s comes before its target %s", header.Name, header.Linkname)
			}
			tree[name] = target
			continue
		}
		if tree[name], err = describeHeader(header, reader); err != nil {
			return nil, err
		}
	}
}

func describeHeader(header *tar.Header, content io.Reader) (*treeEntry, error) {
	kind, known := tarTypes[header.Typeflag]
	if !known {
		return nil, fmt.Errorf("%s: unexpected tar type %q", header.Name, header.Typeflag)
	}
	entry := &treeEntry{
		Type:    kind,
		Mode:    fmt.Sprintf("%04o", header.Mode&0o7777),
		UID:     header.Uid,
		GID:     header.Gid,
		ModTime: header.ModTime.Unix(),
	}
	for key, value := range header.PAXRecords {
		if xattr, is := strings.CutPrefix(key, "SCHILY.xattr."); is {
			if entry.Xattrs == nil {
				entry.Xattrs = map[string]string{}
			}
			entry.Xattrs[xattr] = value
		}
	}
	var err error
	switch kind {
	case "reg":
		entry.Size = header.Size
		entry.SHA256, err = digest.FromReader(content)
	case "symlink":
		entry.Mode, entry.Link = "", header.Linkname
	case "char", "block":
		entry.Device = fmt.Sprintf("%d:%d", header.Devmajor, header.Devminor)
	}
	return entry, err
}
