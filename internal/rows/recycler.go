package rows

import (
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

const (
	// recycledStep is what the sizes of recycled blocks are multiples of, so that records of nearly the same size can have
	// the same block. What is smaller than one step is left to the collector.
	recycledStep = 128 << 10
	// mostRecycled bounds the bytes that wait for their next use.
	mostRecycled = 8 << 20
)

// Recycler is an allocator that gives the blocks of released records to new ones. Most of what a reader of many rows
// allocates are such blocks, each used for milliseconds: the collector would have to clear and to find them. It is for
// records of which nothing is looked at once they are released, not even a text that was taken out of one without a copy.
// The zero Recycler is ready, for any number of goroutines.
type Recycler struct {
	memory.GoAllocator

	mu   sync.Mutex // covers what follows
	free [][]byte   // the last one was in use most recently
	size int        // of all in free
}

// Allocate returns a block of which the content is undefined.
func (r *Recycler) Allocate(size int) []byte {
	if size < recycledStep {
		return r.GoAllocator.Allocate(size)
	}
	if b := r.take(size); b != nil {
		return b
	}
	return r.GoAllocator.Allocate((size + recycledStep - 1) / recycledStep * recycledStep)[:size]
}

// take returns a block that is free and not much too large; nil: there is none.
func (r *Recycler) take(size int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, b := range slices.Backward(r.free) {
		if cap(b) >= size && cap(b)/4 < size {
			r.free = slices.Delete(r.free, i, i+1)
			r.size -= cap(b)
			return b[:size]
		}
	}
	return nil
}

// Free keeps a block for its next use, in the place of those that have waited longest.
func (r *Recycler) Free(b []byte) {
	if cap(b) < recycledStep || cap(b) > mostRecycled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, b)
	for r.size += cap(b); r.size > mostRecycled; r.free = slices.Delete(r.free, 0, 1) {
		r.size -= cap(r.free[0])
	}
}
