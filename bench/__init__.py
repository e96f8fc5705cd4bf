"""What Imagewatch costs, in time, calls and money: tables that anyone can print, and nothing that is asserted."""
