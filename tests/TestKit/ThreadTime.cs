using System.Runtime.InteropServices;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>Processor time of the calling thread. Unlike the time of day it does not grow while others have the processor.</summary>
public static class ThreadTime
{
    const int ThreadCpuClock = 3;   // CLOCK_THREAD_CPUTIME_ID

    [StructLayout(LayoutKind.Sequential)]
    struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    /// <summary>Used so far.</summary>
    public static TimeSpan Used
    {
        get
        {
            Assert.Equal(0, clock_gettime(ThreadCpuClock, out var time));
            return TimeSpan.FromSeconds(time.Seconds) + new TimeSpan(time.Nanoseconds / 100);
        }
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    static extern int clock_gettime(int clock, out Timespec time);
}
