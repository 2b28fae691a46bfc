package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLongWorkIsAnnouncedAndTheLineCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		say, done := newAnnouncer(&out)
		say("reading 110 MB of text")
		<-time.After(2500 * time.Millisecond)
		say("counting the failures")
		done()
		want := "reading 110 MB of text ...|reading 110 MB of text ... 1s|reading 110 MB of text ... 2s|counting the failures ...|"
		if got := strings.Join(strings.Split(out.String(), "\r\x1b[K")[1:], "|"); got != want {
			t.Errorf("drew %q, want %q", got, want)
		}
	})
}

func TestNothingIsAnnouncedOutsideATerminal(t *testing.T) {
	var out bytes.Buffer
	say, done := announce(&out)
	done()
	if say != nil || out.Len() > 0 {
		t.Errorf("announces %q in what is no terminal", out.String())
	}
}
