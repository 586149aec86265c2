// Package echo keeps two relays that run against each other from answering one another for ever: A → B and B → A, where a
// change on one side causes at most one write on the other, and then silence.
//
// A CRM tells of every change, also of those that a relay made, and does not say who made them. So the relays remember,
// in a folder that both use (Store), what they know of each field of each contact on each side:
//
//	seen   the value that the side last told, and when the change was made
//	sent   the values that the other relay wrote there, and whether the CRM has taken them
//
// The later of the two is what a side is believed to hold. A Gate stands between reader and mapping of a relay from X to Y.
// It lets a value pass unless Y is believed to hold it. That alone ends every circle: what was written to Y and comes back
// from Y is what X holds, for that is where it came from. No echoes are counted and no time is guessed, so a person who
// puts a field back to an earlier value is heard.
//
// # Changes and states
//
// Webhooks tell changes, queries tell states. A change that is older than one already heard is dropped: it was
// overtaken. A change to a value that was written there, with a later write behind it, is dropped too. Where it was the
// last write, the side holds that value now, whatever was passed on meanwhile; if the other side does not, it passes, and
// both are equal again: so two people who change one field on both sides at once end up with one value.
//
// Of a state only those fields pass that are not what the side was believed to hold, so that a change of one field does
// not carry old values of the others along. Fields that are being written, or were when the state was asked for, are left
// for the next time: nobody can tell which value the state shows. The write itself makes the contact come again.
//
// # Crashes
//
// What is written is noted before it is sent, and confirmed when the run's batch is settled. A run that dies between
// leaves notes that its successor does not believe: rows that are read again pass again. So nothing is lost; the worst is
// one write too many.
//
// # Rejects
//
// Of a row that was rejected, by the mapping or the CRM, what it would have written is taken back. What it told stays noted,
// for its side does hold that, but marked as refused: all of it is news when the contact is read again, by a later run, or by
// the same one once anything of the contact has changed. A later run that reads it again unchanged rejects it again if the
// cause is still there; the run that rejected it leaves it out, since a query may show every contact at each walk.
//
// Rejects that are sent again come through the Gate of a retry. It leaves out each field of which the source is not known to
// hold that value any more, and each that reached the other side meanwhile: see field.stands.
//
// # Bounds
//
// The store holds the contacts that were touched last, up to a number, and a few values for each field. What was forgotten
// passes once more. Values are kept as hashes under a salt, but for those that a vendor demands with every write, such as
// the name: a change of another field is completed with the name that the target holds. Where neither side's is known yet,
// the change is rejected as incomplete, and passes in a retry once a side has told its name. What the target shows for the
// first time meanwhile does not go over such a change.
//
// It cannot help where each side changes what it is given, one to capitals, say, and the other back. A field of a contact
// that passes in one direction again and again is held after a number of times in a day, and named in the log.
package echo
