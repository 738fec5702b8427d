// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"sync"
	"sync/atomic"
)

// handles give objects numbers for the other side of the C boundary. A number is an index and the generation of that
// place, so one that is stale, or invented, finds nothing. It fits in 53 bits, a JavaScript number. Looking one up takes no
// lock.
type handles[T any] struct {
	mu     sync.Mutex // of taking and freeing
	chunks [maxChunks]atomic.Pointer[[chunkLen]atomic.Pointer[handle[T]]]
	free   []uint64 // the next number of each free place
	places uint64
	count  int
}

type handle[T any] struct {
	number uint64
	object T
}

const (
	indexBits = 24
	chunkLen  = 1 << 10
	maxChunks = 1 << indexBits / chunkLen
	maxNumber = 1<<53 - 1
)

// add returns object's number, or 0 if all places are taken.
func (h *handles[T]) add(object T) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var number uint64
	if n := len(h.free); n > 0 {
		number, h.free = h.free[n-1], h.free[:n-1]
	} else {
		if h.places == maxChunks*chunkLen {
			return 0
		}
		number = 1<<indexBits | h.places
		h.places++
	}
	index := number & (1<<indexBits - 1)
	chunk := h.chunks[index/chunkLen].Load()
	if chunk == nil {
		chunk = new([chunkLen]atomic.Pointer[handle[T]])
		h.chunks[index/chunkLen].Store(chunk)
	}
	chunk[index%chunkLen].Store(&handle[T]{number, object})
	h.count++
	return number
}

func (h *handles[T]) place(number uint64) *atomic.Pointer[handle[T]] {
	index := number & (1<<indexBits - 1)
	chunk := h.chunks[index/chunkLen].Load()
	if chunk == nil {
		return nil
	}
	return &chunk[index%chunkLen]
}

func (h *handles[T]) get(number uint64) (object T, ok bool) {
	if place := h.place(number); place != nil {
		if found := place.Load(); found != nil && found.number == number {
			return found.object, true
		}
	}
	return object, false
}

// remove frees the number and returns what it named.
func (h *handles[T]) remove(number uint64) (object T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	place := h.place(number)
	if place == nil {
		return object, false
	}
	found := place.Load()
	if found == nil || found.number != number {
		return object, false
	}
	place.Store(nil)
	h.count--
	if next := number + 1<<indexBits; next <= maxNumber { // a place whose generations are used up stays empty
		h.free = append(h.free, next)
	}
	return found.object, true
}

// all returns what is in the table now.
func (h *handles[T]) all() map[uint64]T {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := make(map[uint64]T, h.count)
	for i := range h.places {
		if at := h.place(i).Load(); at != nil {
			found[at.number] = at.object
		}
	}
	return found
}

func (h *handles[T]) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}
