SELECT document::VARCHAR FROM incidents ORDER BY updated DESC, id DESC
