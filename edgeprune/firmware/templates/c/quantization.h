/* An input takes a real number as value / scale + zero point, rounded to the nearest (halves away from 0) and clamped to
 * its type; a number of an output stands for scale * (number - zero point). */
