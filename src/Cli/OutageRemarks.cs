using BackupDr.Storage.Layers;

namespace BackupDr.Cli;

/// <summary>Says that a store does not answer, once it lasts: what passes at once is nobody's business.</summary>
sealed class OutageRemarks(Output output, TimeProvider clock)
{
    static readonly TimeSpan WorthTelling = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Repeat = TimeSpan.FromSeconds(30);

    readonly Lock _gate = new();
    long? _told;

    /// <summary>Takes what the store's layer reports. Called from any thread.</summary>
    public void Tell(Repetition repetition)
    {
        if (repetition.Lasted < WorthTelling) return;
        lock (_gate)
        {
            if (_told is { } last && clock.GetElapsedTime(last) < Repeat) return;
            _told = clock.GetTimestamp();
        }
        output.Remark($"{repetition.Failure.Message} It is tried again for {Output.Time(repetition.Left)}.");
    }
}
