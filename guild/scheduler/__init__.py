"""Which staged run may start now, and where?"""
