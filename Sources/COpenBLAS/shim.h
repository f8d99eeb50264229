#include <cblas-openblas.h>
#include <f77blas.h>
