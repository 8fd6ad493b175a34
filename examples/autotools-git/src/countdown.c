#include <stdio.h>
#include <stdlib.h>

int main(int count, char** words) {
  for (int i = count > 1 ? atoi(words[1]) : 3; i > 0; --i) printf("%d\n", i);
  puts("liftoff");
  return 0;
}
