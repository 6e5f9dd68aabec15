package sub

// B.
func B() int {
	return undefined }
