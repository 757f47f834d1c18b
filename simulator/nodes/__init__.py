"""Several emulators that show the same, through Redis.

**The log.** What producers ask for is appended to one stream, by the node that was asked. Every
node does all of it in the same order on an emulator of its own, so all hold the same elements,
states and revisions. A late node does it from the beginning.

**The votes** are counted in Redis by one script, in which nothing gets between: it dedups, keeps
the limits, and adds. A node says `answer_accepted` when Redis has answered it, never before. So a
node that dies takes no accepted vote with it, and its clients can repeat theirs through another
without being counted twice. What Redis itself may lose depends on how it is run: with `appendonly
yes` and `appendfsync always` an accepted vote is on disk; with `everysec` a crash may take the last
second or two; without an append-only file, all since the last snapshot.

**In step.** The script takes votes only for an element that it was told to be open; every node
tells it of what it has done, numbered by the log. An element's results are final when it was told
to be closed: what a node that was behind accepted before is in the final results of all. And no
node refuses a vote because an element is not known or closed before it has done all of the log:
the client may come from a node that is ahead.

**Redis away.** Nodes show what they hold, answer votes with `busy`, which clients repeat, and
requests that write with 503; they try again with backoff. A vote that Redis had counted when it
went away is known to it afterwards. A Redis that comes back without what it held ends the nodes.

Tallies are asked for as often as results are told, with the votes that a node has to bring: one
round trip, which loses nothing, rather than a message to every node for every batch of each.

Clocks of nodes should agree: what happens by itself happens when the first of them says so. Unique
users, sessions and interactions in the stats of an event are those of the node that is asked.
"""
