// TFLM's log without printf, which would need the heap: %d %i %u %x %X %p %c %s %%; of %f the whole part.
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include "platform.h"
#include "tensorflow/lite/micro/debug_log.h"

namespace {

// Text that goes to a buffer, or on to the console as soon as its own small one is full.
class Text {
 public:
  Text() = default;
  Text(char* buffer, size_t size) : target_(buffer), room_(size) {}

  void Add(char character) {
    if (target_ != nullptr) {
      if (length_ + 1 < room_) {
        target_[length_] = character;
      }
      ++length_;
      return;
    }
    chunk_[used_++] = character;
    if (used_ + 1 == sizeof(chunk_)) {
      Flush();
    }
  }

  void AddNumber(uint64_t number, unsigned base) {
    char digits[24];
    size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    while (count > 0) {
      Add(digits[--count]);
    }
  }

  void AddSigned(int64_t number) {
    if (number < 0) {
      Add('-');
    }
    AddNumber(number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number), 10);
  }

  int Finish() {
    if (target_ == nullptr) {
      Flush();
    } else if (room_ > 0) {
      target_[length_ < room_ ? length_ : room_ - 1] = '\0';
    }
    return static_cast<int>(length_);
  }

 private:
  void Flush() {
    chunk_[used_] = '\0';
    platform::Write(chunk_);
    used_ = 0;
  }

  char* target_ = nullptr;
  size_t room_ = 0, length_ = 0, used_ = 0;
  char chunk_[64];
};

void Format(Text& text, const char* format, va_list arguments) {
  for (; *format != '\0'; ++format) {
    if (*format != '%') {
      text.Add(*format);
      continue;
    }
    int longs = 0;
    for (++format; *format == 'l' || *format == 'z' || *format == '.' || (*format >= '0' && *format <= '9');
         ++format) {
      longs += *format == 'l';
    }
    switch (*format) {
      case 'd':
      case 'i':
        text.AddSigned(longs > 1 ? va_arg(arguments, int64_t) : va_arg(arguments, int));
        break;
      case 'u':
        text.AddNumber(longs > 1 ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), 10);
        break;
      case 'x':
      case 'X':
      case 'p':
        text.AddNumber(longs > 1 ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), 16);
        break;
      case 'f':
        text.AddSigned(static_cast<int64_t>(va_arg(arguments, double)));
        break;
      case 'c':
        text.Add(static_cast<char>(va_arg(arguments, int)));
        break;
      case 's':
        for (const char* next = va_arg(arguments, const char*); *next != '\0'; ++next) {
          text.Add(*next);
        }
        break;
      case '\0':
        return;
      default:
        text.Add(*format);
    }
  }
}

}  // namespace

extern "C" void DebugLog(const char* format, va_list arguments) {
  Text text;
  Format(text, format, arguments);
  text.Finish();
}

extern "C" int DebugVsnprintf(char* buffer, size_t size, const char* format, va_list arguments) {
  Text text(buffer, size);
  Format(text, format, arguments);
  return text.Finish();
}
