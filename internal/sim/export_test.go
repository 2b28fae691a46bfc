package sim

// Frozen is the run inside a snapshot, for a test that looks at all of it.
func (p *Snapshot) Frozen() any { return p.frozen }
