package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

const (
	// remembered is how far back the front page lists incidents.
	remembered = 30 * 24 * time.Hour
	// mostListed is how many incidents of a state are listed.
	mostListed = 50
	// mostEntries is how many entries the front page lists, the busiest first.
	mostEntries = 15
)

// frontView is what the front page shows.
type frontView struct {
	Title                     string
	Open, Mitigated, Resolved []incidentLine
	More                      string // how many were left out
	Heard                     bool   // anything arrived lately, or ever
	Watch                     string
	Requests                  string
	Entries                   []entryLine
	MoreEntries               string
	Services                  []serviceLine
	Missing                   []string
	Phases                    []phaseView // failures that do harm
	MorePhases                string
	Receivers                 Receivers
}

// incidentLine is one incident on the front page.
type incidentLine struct {
	URL, Age, Verdict, VerdictTitle string
	Sentence                        []part
	Hurt, Rate, Entries, Next, When string
	Noun                            string // what one of those that were hurt is called
	Spark                           *spark
}

// entryLine is one entry that is watched.
type entryLine struct {
	Name, Requests, Failed, Slow string
	Rate                         string
	Harm                         bool
	Spark                        *spark
}

// serviceLine is the coverage of one service.
type serviceLine struct {
	Name     string
	Figures  []figureLine // those that are not whole
	Whole    string       // how many are
	Complete string       // and which
}

type figureLine struct {
	Name, Value, Title string
	Low                bool
}

// spark is a small chart of requests, with those that failed in front.
type spark struct{ Width, Height, Requests, Failed, Title string }

func (s *Server) front(w http.ResponseWriter, r *http.Request) error {
	view, err := s.frontView(r.Context())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "front", view)
}

func (s *Server) frontView(ctx context.Context) (frontView, error) {
	now := s.config.Clock().UTC()
	v := frontView{Watch: spell(s.config.Watch), Receivers: s.config.Receivers}
	found, err := s.config.Records.Incidents(ctx, telemetry.Window{Start: now.Add(-remembered), End: now.Add(time.Hour)})
	if err != nil {
		return v, fmt.Errorf("list incidents: %w", err)
	}
	window := telemetry.Window{Start: now.Add(-s.config.Watch).Truncate(bucket), End: now.Add(bucket).Truncate(bucket)}
	totals, err := s.config.Records.Totals(ctx, window)
	if err != nil {
		return v, fmt.Errorf("count requests: %w", err)
	}
	v.list(found, totals, window, now)
	v.watch(totals, window)
	v.cover(s.coverage())
	v.phases(s.config.PhaseReports, now)
	v.Heard = len(totals) > 0 || len(found) > 0 || len(v.Services) > 0
	return v, nil
}

// mostPhases is how many phase failures the front page names.
const mostPhases = 5

// phases lists the phase failures that do harm: some fail no request, so that no
// incident tells of them.
func (v *frontView) phases(reports PhaseReports, now time.Time) {
	if reports == nil {
		return
	}
	left := 0
	for _, f := range reports.Report(reportWindow, now).Findings {
		switch {
		case f.Severity == conformance.Low:
		case len(v.Phases) == mostPhases:
			left++
		default:
			v.Phases = append(v.Phases, viewPhase(f, incident.Incident{}))
		}
	}
	if left > 0 {
		v.MorePhases = wording.Plural(left, "more failure")
	}
}

// list puts each incident under its state: one line per cause, the one that
// hurts most first among the open ones.
func (v *frontView) list(found []incident.Incident, totals []pipeline.Total, window telemetry.Window, now time.Time) {
	slices.SortStableFunc(found, func(a, b incident.Incident) int {
		if a.State == incident.Open && b.State == incident.Open {
			return cmp.Compare(b.Failures, a.Failures)
		}
		return b.Updated.Compare(a.Updated)
	})
	lists := map[incident.State]*[]incidentLine{
		incident.Open: &v.Open, incident.Mitigated: &v.Mitigated, incident.Resolved: &v.Resolved,
	}
	left := 0
	for _, i := range found {
		lines, ok := lists[i.State]
		if !ok || len(*lines) == mostListed {
			left++
			continue
		}
		line := viewLine(i, now)
		if i.State == incident.Open {
			line.Spark = sparkOf(totals, i.Entries, i.Outcome, window, 320, 40)
		}
		*lines = append(*lines, line)
	}
	if left > 0 {
		v.More = wording.Plural(left, "more incident") + " of the last 30 days in the API: /api/v1/incidents"
	}
	switch n := len(v.Open); n {
	case 0:
		v.Title = "Nothing failing"
	case 1:
		v.Title = "1 open cause"
	default:
		v.Title = wording.Count(n) + " open causes"
	}
}

func viewLine(i incident.Incident, now time.Time) incidentLine {
	hurt, rate := harm(i)
	line := incidentLine{
		URL:     "/incidents/" + string(i.ID),
		Verdict: verdictOf(i), VerdictTitle: verdictTitle(i), Sentence: sentence(i),
		Hurt: hurt, Rate: rate, Entries: shorten(entriesText(i.Entries), 160), Next: i.Next(),
		When: clock(i.Began, now) + " UTC", Noun: i.Outcome.Words("request").Noun,
	}
	if i.Closed.IsZero() {
		line.Age = "for " + spell(now.Sub(i.Began))
	} else {
		line.Age = "lasted " + spell(i.Closed.Sub(i.Began)) + ", ended " + spell(now.Sub(i.Closed)) + " ago"
	}
	return line
}

// watch counts the requests of each entry.
func (v *frontView) watch(totals []pipeline.Total, window telemetry.Window) {
	sums := make(map[request.Entry]pipeline.Total)
	all := 0
	for _, t := range totals {
		sum := sums[t.Entry]
		sum.Entry = t.Entry
		sum.Requests += t.Requests
		sum.Failed += t.Failed
		sum.Slow += t.Slow
		sums[t.Entry] = sum
		all += t.Requests
	}
	var entries []pipeline.Total
	for _, sum := range sums {
		entries = append(entries, sum)
	}
	slices.SortFunc(entries, func(a, b pipeline.Total) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Entry.String(), b.Entry.String()))
	})
	v.Requests = wording.Plural(all, "request")
	for _, e := range entries[:min(len(entries), mostEntries)] {
		low, high := interaction.Wilson(float64(e.Failed), float64(e.Requests))
		v.Entries = append(v.Entries, entryLine{
			Name: e.Entry.String(), Requests: wording.Count(e.Requests), Failed: wording.Count(e.Failed), Slow: wording.Count(e.Slow),
			Rate: wording.Percent(float64(e.Failed)/float64(max(1, e.Requests))) + " (" + between(low, high) + ")",
			Harm: e.Failed > 0, Spark: sparkOf(totals, []request.Entry{e.Entry}, request.Failed, window, 160, 24),
		})
	}
	if left := len(entries) - len(v.Entries); left > 0 {
		v.MoreEntries = "and " + wording.Plural(left, "more entry")
	}
}

func (v *frontView) cover(c Coverage) {
	v.Missing = c.Missing
	for _, s := range c.Services {
		line := serviceLine{Name: s.Service}
		whole := wholeOf(s.Figures)
		for _, f := range s.Figures {
			if slices.Contains(whole, f.Name) {
				continue
			}
			l := figureLine{Name: f.Name, Value: "none seen", Title: f.Name + ": nothing there to have it"}
			if f.Of > 0 {
				ratio := float64(f.Part) / float64(f.Of)
				l = figureLine{f.Name, wording.Percent(ratio), fmt.Sprintf("%s: %s of %s", f.Name, wording.Count(f.Part), wording.Count(f.Of)), ratio < 0.9}
			}
			line.Figures = append(line.Figures, l)
		}
		if len(whole) > 0 {
			line.Complete, line.Whole = list(whole), "nothing missing"
			if len(line.Figures) > 0 {
				line.Whole = wording.Few(len(whole)) + " more at 100%"
			}
		}
		v.Services = append(v.Services, line)
	}
}

// wholeOf names the figures that are whole, if they are many enough to be said
// in one word: what is not whole should stand out.
func wholeOf(figures []Figure) []string {
	var whole []string
	for _, f := range figures {
		if f.Of > 0 && f.Part >= f.Of {
			whole = append(whole, f.Name)
		}
	}
	if len(whole) < 3 {
		return nil
	}
	return whole
}

// sparkOf draws requests over the window in at most 60 steps of whole buckets,
// and those with the outcome in front. It is nil where there were none.
func sparkOf(totals []pipeline.Total, entries []request.Entry, outcome request.Outcome, w telemetry.Window, width, height float64) *spark {
	// A server that began lately fills its picture with what there is.
	for _, t := range totals {
		if slices.Contains(entries, t.Entry) {
			first := time.Unix(t.Bucket, 0)
			if latest := w.End.Add(-12 * bucket); first.After(latest) {
				first = latest
			}
			if first.After(w.Start) {
				w.Start = first
			}
			break
		}
	}
	buckets := int(w.Duration() / bucket)
	each := max(1, (buckets+59)/60)
	// The last step is often incomplete, and would look like a collapse.
	steps := max(1, buckets/each)
	all, bad := make([]float64, steps), make([]float64, steps)
	var requests, hurt int
	for _, t := range totals {
		if !slices.Contains(entries, t.Entry) {
			continue
		}
		n := t.Failed
		if outcome == request.Slow {
			n = t.Slow
		}
		since := time.Unix(t.Bucket, 0).Sub(w.Start)
		k := int(since/bucket) / each
		if since < 0 || k >= steps {
			continue
		}
		all[k] += float64(t.Requests)
		bad[k] += float64(n)
		requests, hurt = requests+t.Requests, hurt+n
	}
	if requests == 0 {
		return nil
	}
	top := slices.Max(all)
	step := width / float64(steps)
	bars := func(values []float64) string {
		var b strings.Builder
		for k, v := range values {
			if v > 0 {
				x, h := step*float64(k), max(1, height*v/top)
				fmt.Fprintf(&b, "M%s %sh%sV%sh-%sZ", at(x), at(height), at(step*0.8), at(height-h), at(step*0.8))
			}
		}
		return b.String()
	}
	return &spark{
		at(width), at(height), bars(all), bars(bad),
		fmt.Sprintf("%s in %s, %s %s", wording.Plural(requests, "request"), spell(w.Duration()), wording.Count(hurt), outcome),
	}
}
