// Verify an exported log with the Go project's own packages, which know nothing of the consent registry.
//
//	verify FOLDER VKEY [PROOF…]
//
// The checkpoint must be signed by VKEY, the entries must give its root, every entry must be proved by the tiles, every
// earlier tree must be proved to be the beginning of this one, and each .tlog-proof must hold for its entry.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// folder reads tiles from files; the height stands in the paths of the Go project, and not in tlog-tiles.
type folder struct{ path string }

func (folder) Height() int                     { return 8 }
func (folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(f.path, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func main() {
	log.SetFlags(0)
	path, vkey := os.Args[1], os.Args[2]
	size, root := open(must(os.ReadFile(filepath.Join(path, "checkpoint"))), vkey)
	entries := readEntries(path, size)

	// The root, from the entries alone.
	var stored []tlog.Hash
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for index, entry := range entries {
		stored = append(stored, must(tlog.StoredHashes(int64(index), entry, memory))...)
	}
	if size > 0 && must(tlog.TreeHash(size, memory)) != root {
		log.Fatal("the entries do not give the root that was signed")
	}

	// Every entry and every earlier tree, from the tiles, each of which this reader authenticates.
	tiles := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, folder{path})
	for index := int64(0); index < size; index++ {
		proof := must(tlog.ProveRecord(size, index, tiles))
		check(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entries[index])))
		old := index + 1
		check(tlog.CheckTree(must(tlog.ProveTree(size, old, tiles)), size, root, old, must(tlog.TreeHash(old, memory))))
	}

	// Proofs that were made by the registry.
	for _, name := range os.Args[3:] {
		checkProof(must(os.ReadFile(name)), vkey, entries)
	}
	fmt.Printf("ok %d %s %d\n", size, root, len(os.Args[3:]))
}

// open verifies a checkpoint and returns its size and root.
func open(data []byte, vkey string) (int64, tlog.Hash) {
	verifier := must(note.NewVerifier(vkey))
	lines := strings.Split(must(note.Open(data, note.VerifierList(verifier))).Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		log.Fatal("the text is no checkpoint of this log")
	}
	return must(strconv.ParseInt(lines[1], 10, 64)), must(tlog.ParseHash(lines[2]))
}

// readEntries reads the entry bundles: each entry behind its length in two bytes.
func readEntries(path string, size int64) [][]byte {
	var entries [][]byte
	for start := int64(0); start < size; start += 256 {
		tile := tlog.Tile{H: 8, L: 0, N: start / 256, W: 256}
		if size-start < 256 {
			tile.W = int(size - start)
		}
		name := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		rest := must(os.ReadFile(filepath.Join(path, name)))
		for len(rest) > 0 {
			length := binary.BigEndian.Uint16(rest)
			entries = append(entries, rest[2:2+length])
			rest = rest[2+length:]
		}
	}
	if int64(len(entries)) != size {
		log.Fatalf("%d entries in the bundles of %d", len(entries), size)
	}
	return entries
}

// checkProof verifies a .tlog-proof for the entry at its index.
func checkProof(data []byte, vkey string, entries [][]byte) {
	head, checkpoint, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		log.Fatal("no proof")
	}
	index := must(strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64))
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		var hash tlog.Hash
		copy(hash[:], must(base64.StdEncoding.DecodeString(line)))
		proof = append(proof, hash)
	}
	size, root := open(checkpoint, vkey)
	check(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entries[index])))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}
