package sim

// Frozen is the run inside a snapshot, for a test that looks at all of it.
func (p *Snapshot) Frozen() any { return p.frozen }

// The states of policies, for tests that compare them with failsafe-go's.
type (
	Breaker   struct{ b breaker }
	Throttler struct{ t throttler }
	Limiter   struct{ l limiter }
	Adaptive  struct{ a adaptive }
	Levels    struct{ p prioritizer }
)

func NewBreaker(spec CircuitBreaker) *Breaker     { return &Breaker{newBreaker(spec)} }
func (b *Breaker) Permit(now Time) bool           { return b.b.permit(now) }
func (b *Breaker) Record(now Time, ok bool)       { b.b.record(now, ok) }
func (b *Breaker) State() int                     { return int(b.b.state) }
func NewThrottler(s AdaptiveThrottler) *Throttler { return &Throttler{newThrottler(s)} }
func (t *Throttler) Record(now Time, ok bool)     { t.t.record(now, ok) }
func (t *Throttler) Refusal() float64             { return t.t.refusal() }
func NewLimiter(spec RateLimiter) *Limiter        { return &Limiter{newLimiter(spec)} }
func (l *Limiter) Reserve(now Time) (Time, bool)  { return l.l.reserve(now) }
func NewAdaptive(spec AdaptiveLimiter) *Adaptive  { return &Adaptive{newAdaptive(spec)} }
func (a *Adaptive) Permit() (int, bool)           { return a.a.permit() }
func (a *Adaptive) Record(now, took Time, n int)  { a.a.record(now, took, n, false) }
func (a *Adaptive) Limit() int                    { return int(a.a.limit) }
func (a *Adaptive) Drop(now Time, n int)          { a.a.record(now, 0, n, true) }

// Record notes the level of an attempt that came while the limiter was full.
func (l *Levels) Record(level int) { l.p.record(level) }

// Threshold is that for so many waiting at a limit.
func (l *Levels) Threshold(waiting, limit int) int {
	l.p.calibrate(waiting, limit)
	return l.p.threshold
}
