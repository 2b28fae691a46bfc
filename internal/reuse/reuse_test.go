package reuse_test

import (
	"slices"
	"testing"

	"example.test/eddy/internal/reuse"
)

func TestRoomIsUsedAgainWhereItSuffices(t *testing.T) {
	used := []int{1, 2, 3, 4}
	for _, n := range []int{0, 3, 4, 9} {
		got := reuse.Room(slices.Clone(used), n)
		if len(got) != n || n <= 4 && !slices.Equal(got, used[:n]) {
			t.Errorf("room for %d: got %v", n, got)
		}
		got = reuse.Clear(slices.Clone(used), n)
		if !slices.Equal(got, make([]int, n)) {
			t.Errorf("%d zeros: got %v", n, got)
		}
		before := slices.Clone(used)
		if got := reuse.Clear(before, n); n > 0 && n <= 4 && &got[0] != &before[0] {
			t.Errorf("%d zeros have other room, though there was enough", n)
		}
	}
}
