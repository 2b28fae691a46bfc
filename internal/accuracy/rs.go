package accuracy

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"

	"example.test/eddy/internal/condition"
)

//go:embed testdata/rs.zip
var rsData []byte

// minutes is how many minutes of an incident are fed: the one to explain and
// the four before it.
const minutes = 5

// An Incident is one case of the rs data.
type Incident struct {
	Name string
	// Start is the first of the minutes; the last one is to be explained.
	Start time.Time
	Cells []Cell
	// Causes are the true sets.
	Causes []Set
}

// A Cell counts the events of one minute that have the same attributes.
type Cell struct {
	Minute   int // 0 to minutes-1
	Set      Set
	All, Bad int
}

// Order is that of the true causes; where there are several, of the first.
func (i *Incident) Order() int { return len(i.Causes[0]) }

// Right reports whether a ranked answer is right at k: every true set is among
// the first k, or as many as there are true ones if that is more.
func (i *Incident) Right(answer []Set, k int) bool {
	answer = answer[:min(len(answer), max(k, len(i.Causes)))]
	for _, c := range i.Causes {
		if index(answer, c) < 0 {
			return false
		}
	}
	return true
}

// Incidents reads the rs data.
func Incidents() ([]Incident, error) {
	files, err := zip.NewReader(bytes.NewReader(rsData), int64(len(rsData)))
	if err != nil {
		return nil, fmt.Errorf("rs.zip: %w", err)
	}
	text, err := fs.ReadFile(files, "anomaly.yaml")
	if err != nil {
		return nil, fmt.Errorf("rs.zip: %w", err)
	}
	var truth []struct {
		Data      string
		Timestamp int64
		Cause     any
	}
	if err := yaml.Unmarshal(text, &truth); err != nil {
		return nil, fmt.Errorf("anomaly.yaml: %w", err)
	}
	all := make([]Incident, 0, len(truth))
	for _, t := range truth {
		i := Incident{Name: t.Data, Start: time.Unix(t.Timestamp, 0).Add(-(minutes - 1) * time.Minute).UTC()}
		if i.Causes, err = causes(t.Cause); err != nil {
			return nil, fmt.Errorf("anomaly.yaml: %s: %w", t.Data, err)
		}
		if err := i.read(files); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Data, err)
		}
		all = append(all, i)
	}
	return all, nil
}

// causes reads a map of attributes, or a list of such maps.
func causes(v any) ([]Set, error) {
	switch v := v.(type) {
	case []any:
		var all []Set
		for _, x := range v {
			one, err := causes(x)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	case map[string]any:
		var cs []condition.Condition
		for a, value := range v {
			cs = append(cs, condition.Condition{Dimension: a, Value: fmt.Sprint(value)})
		}
		return []Set{NewSet(cs...)}, nil
	default:
		return nil, fmt.Errorf("cause %v: want a map or a list of maps", v)
	}
}

// read fills in the cells.
func (i *Incident) read(files fs.FS) error {
	f, err := files.Open(i.Name + ".csv")
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return err
	}
	header := rows[0]
	for n, row := range rows[1:] {
		var c Cell
		var at int64
		var cs []condition.Condition
		for k, v := range row {
			switch header[k] {
			case "min":
				at, err = strconv.ParseInt(v, 10, 64)
			case "value":
				c.Bad, err = strconv.Atoi(v)
			case "cnt":
				c.All, err = strconv.Atoi(v)
			default:
				cs = append(cs, condition.Condition{Dimension: header[k], Value: v})
			}
			if err != nil {
				return fmt.Errorf("line %d: %s: %w", n+2, header[k], err)
			}
		}
		c.Set = NewSet(cs...)
		c.Minute = int(time.Unix(at, 0).Sub(i.Start) / time.Minute)
		i.Cells = append(i.Cells, c)
	}
	return nil
}
