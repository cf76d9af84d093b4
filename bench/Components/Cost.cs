namespace BackupDr.Components;

/// <summary>What a piece of work costs: CPU time of this process, user and system, of all its threads.</summary>
/// <remarks>Time on a clock would measure the machine's other work as well; the best of several samples has the fewest cache misses that
/// are not its own.</remarks>
static class Cost
{
    const int Samples = 5;
    const double WarmUpSeconds = 0.3, SampleSeconds = 0.1;

    /// <summary>CPU seconds so far.</summary>
    public static double Seconds => Environment.CpuUsage.TotalTime.TotalSeconds;

    /// <summary>CPU seconds of one pass.</summary>
    /// <param name="pass">Can be run again and again.</param>
    public static double Of(Action pass)
    {
        // Long enough for the runtime to compile what is called often a second time.
        for (var begun = Seconds; Seconds - begun < WarmUpSeconds;) pass();
        var best = double.MaxValue;
        for (var sample = 0; sample < Samples; sample++)
        {
            var (begun, passes) = (Seconds, 0);
            double spent;
            do
            {
                pass();
                passes++;
                spent = Seconds - begun;
            }
            while (spent < SampleSeconds);
            best = Math.Min(best, spent / passes);
        }
        return best;
    }

    /// <summary>CPU seconds of a whole operation, the best of three after one that compiles its code.</summary>
    /// <param name="prepare">Costs nothing that counts.</param>
    /// <param name="run">What is measured.</param>
    public static async Task<double> Of(Func<Task> prepare, Func<Task> run)
    {
        var best = double.MaxValue;
        for (var round = 0; round < 4; round++)
        {
            await prepare();
            GC.Collect();
            var begun = Seconds;
            await run();
            if (round > 0) best = Math.Min(best, Seconds - begun);
        }
        return best;
    }
}
