package rows

// listedBytes is what an element of a list costs beside its text: where it ends, and whether it is there.
const listedBytes = 5

// fitList takes an array of what a text column takes, and nulls, which stay in their place.
func (b *Builder) fitList(v *cell, obj []byte) string {
	if v.tok != tokNested || obj[v.start] != '[' {
		return "the column is a list of texts, the value " + v.tok.noun()
	}
	for i := skipSpace(obj, int(v.start)+1); obj[i] != ']'; {
		end, tok := scanValue(&b.dec, obj, i)
		if tok == tokNested {
			return "the column is a list of texts, an element of the value " + tok.noun()
		}
		b.listed++
		i = afterElement(obj, end)
	}
	return ""
}

// commitList appends an array that fits.
func (b *Builder) commitList(c *column, array []byte) {
	for i := skipSpace(array, 1); array[i] != ']'; {
		end, tok := scanValue(&b.dec, array, i)
		switch tok {
		case tokNull:
			c.values.appendNull()
		case tokString:
			c.values.appendBytes(array[i+1 : end-1])
		case tokEscaped:
			b.dec.ResetBytes(array[i:end])
			c.values.data, _ = b.dec.StrAppend(c.values.data) // read before, so it cannot fail
			c.values.close()
		default:
			c.values.appendBytes(array[i:end])
		}
		i = afterElement(array, end)
	}
	c.closeList()
}

// afterElement is the place of the next element, or of the bracket that closes the array, which is valid JSON.
func afterElement(array []byte, i int) int {
	if i = skipSpace(array, i); array[i] == ',' {
		i = skipSpace(array, i+1)
	}
	return i
}
