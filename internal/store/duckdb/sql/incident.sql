SELECT document::VARCHAR FROM incidents WHERE id = $1
