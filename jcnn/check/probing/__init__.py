"""Reading off a candidate which formula it computes, and saying how it differs from the right one."""
