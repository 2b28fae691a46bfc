package store_test

import (
	"testing"

	"example.test/eddy/internal/store"
	"example.test/eddy/internal/store/storetest"
)

func TestMemIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s := store.NewMem()
		t.Cleanup(func() { s.Close() })
		return s
	})
}
