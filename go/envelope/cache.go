// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"container/list"
	"sync"

	"asherah-napi/record"
)

// cache holds at most max keys, each by id and created date and, while it is the one to encrypt with, by id alone. The
// least recently used goes first. Every cached key carries one reference of the cache's.
type cache struct {
	max int

	mu      sync.Mutex
	byMeta  map[record.KeyMeta]*list.Element // of *key
	latest  map[string]*key
	order   list.List // most recently used first
	closed  bool
	evicted int64
}

func newCache(max int) *cache {
	return &cache{max: max, byMeta: map[record.KeyMeta]*list.Element{}, latest: map[string]*key{}}
}

// get returns the key with a reference for the caller, or nil.
func (c *cache) get(meta record.KeyMeta) *key {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byMeta[meta]
	if e == nil {
		return nil
	}
	return c.use(e)
}

// getLatest returns the key to encrypt with under this id, with a reference for the caller, or nil.
func (c *cache) getLatest(id string) *key {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.latest[id]
	if k == nil {
		return nil
	}
	return c.use(c.byMeta[k.meta()])
}

func (c *cache) use(e *list.Element) *key {
	c.order.MoveToFront(e)
	k := e.Value.(*key)
	k.acquire() // the cache's own reference keeps it above 0
	return k
}

// add puts k in, with a reference of the cache's own, and exchanges the caller's reference for one to the key to use: k,
// or the one that was there already. latest makes it the one to encrypt with. What has to go is wiped outside the lock;
// evicted names what left because the cache was full.
func (c *cache) add(k *key, latest bool) (_ *key, evicted record.KeyMeta) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return k, evicted
	}
	var gone *key
	e := c.byMeta[k.meta()]
	if e == nil {
		k.acquire()
		e = c.order.PushFront(k)
		c.byMeta[k.meta()] = e
		if c.order.Len() > c.max {
			gone = c.remove(c.order.Back())
			evicted = gone.meta()
			c.evicted++
		}
	} else if there := c.use(e); there == k {
		there.release() // the caller has one already
	} else {
		gone, k = k, there
	}
	if latest {
		if old := c.latest[k.id]; old != nil && old != k {
			old.superseded.Store(true)
		}
		c.latest[k.id] = k
	}
	c.mu.Unlock()
	if gone != nil {
		gone.release()
	}
	return k, evicted
}

func (c *cache) remove(e *list.Element) *key {
	k := c.order.Remove(e).(*key)
	delete(c.byMeta, k.meta())
	if c.latest[k.id] == k {
		delete(c.latest, k.id)
	}
	return k
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

// close lets go of all keys and takes none from now on.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	var all []*key
	for c.order.Len() > 0 {
		all = append(all, c.remove(c.order.Back()))
	}
	c.mu.Unlock()
	for _, k := range all {
		k.release()
	}
}

func (c *cache) evictions() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evicted
}
