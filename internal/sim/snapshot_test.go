package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

func TestARestoredRunGoesOnAsIfItHadNotStopped(t *testing.T) {
	m := payments(280, 3)
	s, err := sim.New(m, 9, sim.Settings{On: map[string]bool{"brownout": true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RunUntil(t.Context(), 35*time.Second); err != nil { // amid the brownout
		t.Fatal(err)
	}
	saved := s.Snapshot()
	straight, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		restored, err := saved.Restore().Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if digest(t, straight) != digest(t, restored) {
			t.Error("the restored run differs from the one that was never stopped")
		}
	}
	branch := saved.Restore()
	if err := branch.Switch("bounded", true); err != nil {
		t.Fatal(err)
	}
	if err := branch.Switch("brownout", false); err != nil {
		t.Fatal(err)
	}
	acted, err := branch.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after, ok := acted.Recovery(35*time.Second, 0.95, 10*time.Second); !ok || after > 15*time.Second {
		t.Errorf("recovery after acting: %v, %v; want within 15 s", after, ok)
	}
	if after, ok := straight.Recovery(40*time.Second, 0.95, 10*time.Second); ok {
		t.Errorf("recovered %v after the brownout without acting; want never", after)
	}
}
