package request

// Words are how sentences speak of what ended in one way: of requests, or of
// whatever the rows of a table are. Every sentence that may be about failures or
// about slow requests takes its words from here.
type Words struct {
	// Noun and Nouns are what one and several are called: "failure", "slow request".
	Noun, Nouns string
	// Do and Does are the verbs: "fail" and "fails", "are slow" and "is slow".
	Do, Does string
	// Short is Do without saying what: "do", "are".
	Short string
	// Did is Do in the past, DidOne that of a single one: "were slow", "was slow".
	Did, DidOne string
}

// Words are those for an outcome of things, which are called so in the singular.
// OK has those of Failed.
func (o Outcome) Words(thing string) Words {
	if o == Slow {
		return Words{
			Noun: "slow " + thing, Nouns: "slow " + thing + "s",
			Do: "are slow", Does: "is slow", Short: "are", Did: "were slow", DidOne: "was slow",
		}
	}
	return Words{Noun: "failure", Nouns: "failures", Do: "fail", Does: "fails", Short: "do", Did: "failed", DidOne: "failed"}
}

// Ended is what so many did: "failed", "was slow", "were slow".
func (w Words) Ended(n int) string {
	if n == 1 {
		return w.DidOne
	}
	return w.Did
}
