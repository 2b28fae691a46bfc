package contract

import "slices"

// Compatible says whether, in a phase, a reader may meet what a writer has left,
// by one dimension of the contract's compatibility. Both are programs of the
// matrix, or, for a writer, one of its versions; an empty name says nothing.
// known is false where the matrix has no word on it: another dimension or phase,
// or names that it does not have.
//
// A pair is not compatible if the matrix does not list the reader in that phase;
// if it lists the writer neither in that phase nor in one that a transition leads
// from or to, whose writes may still be there; or if the writer may leave a
// version that the reader does not read.
func (c *Contract) Compatible(dimension string, in PhaseName, writer, reader string) (ok, known bool) {
	k := c.Compatibility[dimension]
	programs, listed := k.Phases[in]
	_, reads := k.Readers[reader]
	kinds, writes := k.Writers[writer]
	version := slices.Contains(k.Versions, writer)
	if !listed || !reads && !writes {
		return false, false
	}
	if reads && !slices.Contains(programs.Readers, reader) {
		return false, true
	}
	if version && !writes {
		return slices.Contains(k.Readers[reader], writer), true
	}
	if !writes {
		return true, true
	}
	written := false
	for _, from := range c.adjacent(in) {
		if !slices.Contains(k.Phases[from].Writers, writer) {
			continue
		}
		written = true
		for _, kind := range kinds {
			if reads && !c.deniesWrite(from, kind) && !k.reads(reader, kind) {
				return false, true
			}
		}
	}
	return written, true
}
