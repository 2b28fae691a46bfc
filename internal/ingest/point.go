package ingest

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"example.test/eddy/internal/telemetry"
)

// points checks the metrics of a request and returns one point for each data
// point. Points with a time that is not believed or a value that is no number
// are removed from md.
func (w *walk) points(md pmetric.Metrics) []*telemetry.Point {
	out := make([]*telemetry.Point, 0, md.DataPointCount())
	for i := range md.ResourceMetrics().Len() {
		rm := md.ResourceMetrics().At(i)
		resource := w.resource(rm.Resource())
		rm.SetSchemaUrl("")
		for j := range rm.ScopeMetrics().Len() {
			sm := rm.ScopeMetrics().At(j)
			w.scope(sm.Scope())
			sm.SetSchemaUrl("")
			for k := range sm.Metrics().Len() {
				out = w.metric(out, sm.Metrics().At(k), resource)
			}
		}
	}
	return out
}

// metric appends the points of one metric to out.
func (w *walk) metric(out []*telemetry.Point, m pmetric.Metric, resource *telemetry.Resource) []*telemetry.Point {
	name := w.text(w.b.metricNames, m.Name(), w.b.bounds.ValueBytes)
	unit := w.text(w.b.units, m.Unit(), w.b.bounds.ValueBytes)
	if name != m.Name() {
		m.SetName(name)
	}
	if unit != m.Unit() {
		m.SetUnit(unit)
	}
	// Neither is part of telemetry, so neither is journaled.
	m.SetDescription("")
	m.Metadata().Clear()

	add := func(p dataPoint, value float64, count uint64, cumulative bool) bool {
		at, ok := w.pointTime(p, value)
		if !ok {
			return true
		}
		attributes, _ := w.attributes(p.Attributes())
		w.bytes += pointBytes
		out = append(out, &telemetry.Point{
			Time: fromNano(at), Name: name, Unit: unit, Value: value, Count: count, Cumulative: cumulative,
			Start: w.countStart(p, cumulative), Attributes: attributes, Resource: resource,
		})
		return false
	}
	noExemplars := func(pmetric.Exemplar) bool { return true }
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool {
			p.Exemplars().RemoveIf(noExemplars)
			return add(p, number(p), 0, false)
		})
	case pmetric.MetricTypeSum:
		// A sum that can fall is a level, such as connections in use: its value
		// is not counted since the start, whatever its temporality says.
		cumulative := m.Sum().IsMonotonic() && m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		m.Sum().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool {
			p.Exemplars().RemoveIf(noExemplars)
			return add(p, number(p), 0, cumulative)
		})
	case pmetric.MetricTypeHistogram:
		cumulative := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		m.Histogram().DataPoints().RemoveIf(func(p pmetric.HistogramDataPoint) bool {
			p.Exemplars().RemoveIf(noExemplars)
			return add(p, p.Sum(), p.Count(), cumulative)
		})
	case pmetric.MetricTypeExponentialHistogram:
		cumulative := m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		m.ExponentialHistogram().DataPoints().RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool {
			p.Exemplars().RemoveIf(noExemplars)
			return add(p, p.Sum(), p.Count(), cumulative)
		})
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(p pmetric.SummaryDataPoint) bool {
			return add(p, p.Sum(), p.Count(), true)
		})
	case pmetric.MetricTypeEmpty:
	}
	return out
}

// A dataPoint is what the types of point have in common.
type dataPoint interface {
	Timestamp() pcommon.Timestamp
	StartTimestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	Flags() pmetric.DataPointFlags
	Attributes() pcommon.Map
}

// countStart is since when a cumulative point counts; zero if that is not told, or is
// no time that can be.
func (w *walk) countStart(p dataPoint, cumulative bool) time.Time {
	if start := uint64(p.StartTimestamp()); cumulative && start > 0 && w.believed(start) {
		return fromNano(start)
	}
	return time.Time{}
}

// pointTime returns the time of a point, which is when it arrived if it has
// none, or counts why the point is left out. A point that says that there is no
// value is left out without a count.
func (w *walk) pointTime(p dataPoint, value float64) (uint64, bool) {
	if p.Flags().NoRecordedValue() {
		return 0, false
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		w.rejected[badValue]++
		return 0, false
	}
	if p.Timestamp() == 0 {
		p.SetTimestamp(pcommon.NewTimestampFromTime(w.at))
	}
	at := uint64(p.Timestamp())
	if !w.believed(at) {
		w.rejected[badTime]++
		return 0, false
	}
	w.saw(at)
	return at, true
}

func number(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}
