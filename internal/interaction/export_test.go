package interaction

// ContrastP is the one-sided p of a contrast of risks, of which failed of n were
// seen each, with these coefficients.
func ContrastP(of, failed, n []float64) float64 {
	var c contrast
	for i := range of {
		c = append(c, part{of[i], risk(failed[i], n[i]-failed[i], n[i]-failed[i], 1)})
	}
	return c.p()
}
