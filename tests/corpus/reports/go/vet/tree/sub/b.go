package sub

func B() int { return undefined }
