package etcd_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/mediator/etcd"
)

// Both keep the same promises, so what is tested with the one in memory holds
// for the other.
func TestStatesBehaveTheSame(t *testing.T) {
	embedded, err := etcd.Start(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := embedded.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, s := range map[string]mediator.State{"memory": &mediator.Memory{}, "etcd": embedded} {
		t.Run(name, func(t *testing.T) {
			t.Run("commit", func(t *testing.T) { commits(t, s) })
			t.Run("lease", func(t *testing.T) { leases(t, s) })
		})
	}
}

func commits(t *testing.T, s mediator.State) {
	put := func(want bool, c mediator.Condition, data string) int64 {
		t.Helper()
		revision, ok, err := s.Commit(t.Context(), []mediator.Condition{c}, []mediator.Put{{Key: "a/1", Data: []byte(data)}})
		if err != nil || ok != want {
			t.Errorf("commit %q if %+v: %v, %v, want %v", data, c, ok, err, want)
		}
		return revision
	}
	if v, _, err := s.Get(t.Context(), "a/1"); err != nil || v.Revision != 0 {
		t.Errorf("a key that is not there: %+v, %v", v, err)
	}
	created := put(true, mediator.Condition{Key: "a/1"}, "one")
	put(false, mediator.Condition{Key: "a/1"}, "it exists")
	changed := put(true, mediator.Condition{Key: "a/1", Revision: created}, "two")
	put(false, mediator.Condition{Key: "a/1", Revision: created}, "late")
	put(false, mediator.Condition{Key: "a/1", Data: []byte("one")}, "late")
	last := put(true, mediator.Condition{Key: "a/1", Data: []byte("two")}, "three")
	put(false, mediator.Condition{Key: "a/1", Created: changed}, "another life")
	if last <= changed || changed <= created {
		t.Errorf("revisions %d, %d, %d do not grow", created, changed, last)
	}
	if _, ok, err := s.Commit(t.Context(), nil, []mediator.Put{{Key: "a/2", Data: []byte("x")}, {Key: "b/1", Data: []byte("x")}}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	list, _, err := s.List(t.Context(), "a/")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range list {
		got[v.Key] = string(v.Data)
	}
	if diff := cmp.Diff(map[string]string{"a/1": "three", "a/2": "x"}, got); diff != "" || list[0].Created != created || list[0].Revision != last {
		t.Errorf("list (-want +got):\n%s\nfirst %+v", diff, list[0])
	}
	if _, ok, err := s.Commit(t.Context(), nil, nil, "a/1"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if again := put(true, mediator.Condition{Key: "a/1"}, "reborn"); again <= last {
		t.Errorf("it is created again at %d, after %d", again, last)
	}
}

func leases(t *testing.T, s mediator.State) {
	id, err := s.Grant(t.Context(), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Commit(t.Context(), nil, []mediator.Put{{Key: "l/1", Data: []byte("x"), Lease: id}}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if v, _, err := s.Get(t.Context(), "l/1"); err != nil || v.Lease != id {
		t.Errorf("%+v, %v, want it under lease %d", v, err, id)
	}
	if err := s.Renew(t.Context(), id); err != nil {
		t.Error(err)
	}
	if err := s.Revoke(t.Context(), id); err != nil {
		t.Error(err)
	}
	if v, _, err := s.Get(t.Context(), "l/1"); err != nil || v.Revision != 0 {
		t.Errorf("%+v, %v, want it to have gone with its lease", v, err)
	}
	if err := s.Renew(t.Context(), id); !errors.Is(err, mediator.ErrLeaseEnded) {
		t.Errorf("renew: %v, want ErrLeaseEnded", err)
	}
	if err := s.Revoke(t.Context(), id); err != nil {
		t.Errorf("revoke again: %v, want nil", err)
	}
	if _, _, err := s.Commit(t.Context(), nil, []mediator.Put{{Key: "l/1", Data: []byte("x"), Lease: id}}); !errors.Is(err, mediator.ErrLeaseEnded) {
		t.Errorf("a put under a lease that has ended: %v, want ErrLeaseEnded", err)
	}
}

func TestWhatWasCommittedOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		s, err := etcd.Start(t.Context(), dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := s.Get(t.Context(), "a")
		if err != nil || (v.Revision != 0) != (i == 1) {
			t.Errorf("start %d: %+v, %v", i, v, err)
		}
		if _, ok, err := s.Commit(t.Context(), nil, []mediator.Put{{Key: "a", Data: []byte("x")}}); err != nil || !ok {
			t.Error(ok, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnEtcdThatIsNotThereIsSaid(t *testing.T) {
	if _, err := etcd.Dial(short(t), []string{"http://127.0.0.1:1"}); err == nil {
		t.Error("no error")
	}
}

// short is a context that does not wait as long as people would.
func short(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	t.Cleanup(stop)
	return ctx
}
