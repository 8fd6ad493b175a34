package com.example.greeter;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@SpringBootApplication
@RestController
public class Greeter {
  record Greeting(String text) {}

  @GetMapping("/")
  Greeting greet(@RequestParam(defaultValue = "世界") String name) {
    return new Greeting("hello " + name);
  }

  public static void main(String[] arguments) {
    SpringApplication.run(Greeter.class, arguments);
  }
}
