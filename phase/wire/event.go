package wire

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
)

// ReadEvents calls each for the records of a stream of server-sent events, until
// it ends, which is io.EOF, or cannot be read. id is what a client that comes back
// sends as Last-Event-ID. What is no record is skipped: a newer mediator may send
// more.
func ReadEvents(body io.Reader, each func(id string, r Record)) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4<<10), 2*MaxBody)
	var id, data string
	for lines.Scan() {
		line := lines.Text()
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			var r Record
			if data != "" && json.Unmarshal([]byte(data), &r) == nil {
				each(id, r)
			}
			id, data = "", ""
		case field == "id":
			id = value
		case field == "data":
			data += value
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}
