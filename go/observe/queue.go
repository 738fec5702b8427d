// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"asherah-napi/fault"
)

// Capacity is how many events wait for one listener at most. Those that come while it is full are dropped and counted.
const Capacity = 4096

// event is one measurement or log line. It holds no pointers but to texts that are there anyway, so that noting one
// allocates nothing.
type event struct {
	kind    Kind  // 0: a line
	level   Level // of a line
	factory uint64
	time    time.Duration
	code    fault.Code
	detail  string
	message string
}

// Queue holds what one listener has not heard yet.
type Queue struct {
	wake func()

	mu      sync.Mutex
	events  []event
	spare   []event // the other one of two, so that taking events leaves memory for the next
	ended   []uint64
	dropped int64
	awake   bool   // the listener was woken and has not come yet
	text    []byte // taken, and not fetched yet
	closed  bool
}

// NewQueue makes a queue. wake is called, on any thread, when there is something to take after there was nothing; it must
// not call the queue, which may be locked.
func NewQueue(wake func()) *Queue { return &Queue{wake: wake} }

func (q *Queue) put(e event) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	if len(q.events) == Capacity {
		q.dropped++
	} else {
		q.events = append(q.events, e)
	}
	q.unlockAndWake()
}

// End tells the listener, behind all that was told of a factory, that no more is to come. It is never dropped.
func (q *Queue) End(factory uint64) {
	q.mu.Lock()
	q.ended = append(q.ended, factory)
	q.unlockAndWake()
}

func (q *Queue) unlockAndWake() {
	wake := !q.awake && !q.closed
	q.awake = true
	q.mu.Unlock()
	if wake {
		q.wake()
	}
}

// Close drops what nobody took, and takes no more.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.events, q.spare, q.ended, q.text = nil, nil, nil, nil
}

// Take writes what is queued to out, as JSON, and empties the queue; the length, 0 where there is nothing. Too small an out
// gives the negative length that it must have, and the next call the same text.
//
//	{"events":[{"factory":1,"metric":{"type":"encrypt","durationNs":700}},
//	           {"factory":1,"log":{"level":"warn","message":"...","target":"asherah.kms","code":"WARN_..."}}],
//	 "ended":[1],"dropped":0}
func (q *Queue) Take(out []byte) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.text == nil {
		if len(q.events) == 0 && len(q.ended) == 0 && q.dropped == 0 {
			q.awake = false
			return 0
		}
		q.text = q.marshal()
		clear(q.events) // lets go of messages
		q.events, q.spare = q.spare[:0], q.events
		q.ended, q.dropped = nil, 0
	}
	if len(q.text) > len(out) {
		return -len(q.text)
	}
	n := copy(out, q.text)
	q.text = nil
	if q.awake = len(q.events) > 0 || len(q.ended) > 0; q.awake { // they came while there was text to fetch
		q.wake()
	}
	return n
}

func (q *Queue) marshal() []byte {
	text := make([]byte, 0, 64+len(q.events)*100)
	text = append(text, `{"events":[`...)
	for i := range q.events {
		if i > 0 {
			text = append(text, ',')
		}
		text = q.events[i].appendTo(text)
	}
	text = append(text, `],"ended":[`...)
	for i, factory := range q.ended {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, factory, 10)
	}
	text = append(text, `],"dropped":`...)
	text = strconv.AppendInt(text, q.dropped, 10)
	return append(text, '}')
}

func (e *event) appendTo(text []byte) []byte {
	text = append(text, `{"factory":`...)
	text = strconv.AppendUint(text, e.factory, 10)
	if e.kind == 0 {
		text = append(text, `,"log":{"level":"`...)
		text = append(text, levelNames[e.level]...)
		text = append(text, '"')
		text = appendField(text, "message", e.message)
		text = appendField(text, "target", e.detail)
		if e.code != "" {
			text = appendField(text, "code", string(e.code))
		}
		return append(text, "}}"...)
	}
	text = append(text, `,"metric":{"type":"`...)
	text = append(text, kindNames[e.kind]...)
	text = append(text, '"')
	if e.kind >= CacheHit {
		return append(appendField(text, "name", e.detail), "}}"...)
	}
	text = append(text, `,"durationNs":`...)
	text = strconv.AppendInt(text, int64(e.time), 10)
	if e.detail != "" {
		name := "region"
		if e.kind == Store || e.kind == Load {
			name = "metastore"
		}
		text = appendField(text, name, e.detail)
	}
	if e.code != "" {
		text = appendField(text, "errorCode", string(e.code))
	}
	return append(text, "}}"...)
}

func appendField(text []byte, name, value string) []byte {
	quoted, err := json.Marshal(value)
	if err != nil {
		panic("observe: internal error: " + err.Error()) // strings always encode
	}
	text = append(text, `,"`...)
	text = append(text, name...)
	text = append(text, `":`...)
	return append(text, quoted...)
}
