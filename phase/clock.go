package phase

import "time"

// started is where the monotonic clock begins to be counted; it never changes.
var started = time.Now() //nolint:gochecknoglobals // a constant that is not known before the process runs
