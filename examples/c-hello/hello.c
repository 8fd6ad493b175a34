#include <stdio.h>

int main(int count, char** words) {
  printf("hello, %s, from one C file\n", count > 1 ? words[1] : "world");
  return 0;
}
