"""What the counterparts' processes share: state that survives a kill, a fault dial, a clock, HTTP, notices.

Of the sandbox alone: it knows nothing of any format, and nothing of the system the counterparts talk to.
"""
