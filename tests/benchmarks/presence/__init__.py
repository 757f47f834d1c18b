"""A whole show with a count, by this library and by what one would write without it.

Without it: python-socketio, everybody in one room, and the count told to the room whenever somebody
comes or leaves; or, with more care, at most twice a second.

The players come within 5 s, ten trivia are published and closed, the players leave within 5 s.
Server and clients share one loop and one thread. The show's own pushes, trivia published and closed
with results, are sent alike by all.

What each cannot do. A room counts the connections that are open now: a second device is a second
player, who only watches is one, and so is for a while who vanished; and it takes a server of one's
own, which the apps of a platform do not have. The hidden poll counts the players who were there
before a trivia: it does not fall as they leave, and a count takes as long as its votes are spread.
"""
