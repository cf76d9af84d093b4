using BackupDr.Engine;

namespace BackupDr.Components;

/// <summary>
/// Measures the parts of a backup with the project's own classes. Started by <c>bench/components</c> and <c>bench/scaling</c>, which
/// explain it.
/// </summary>
static class Program
{
    static async Task<int> Main(string[] words)
    {
        NativeLibraries.Check();
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) => { pressed.Cancel = true; stop.Cancel(); };
        switch (words)
        {
            case ["stages", var corpus, var scratch]:
                await Stages.Run(corpus, scratch, stop.Token);
                return 0;
            case ["make", var folder, var passwordFile, var blobs]:
                await LargeIndex.Make(folder, passwordFile, int.Parse(blobs), stop.Token);
                return 0;
            case ["load", var folder, var passwordFile, var blobs, var cache]:
                await LargeIndex.Load(folder, passwordFile, int.Parse(blobs), cache, stop.Token);
                return 0;
            default:
                Console.Error.WriteLine("Run bench/components or bench/scaling.");
                return 2;
        }
    }
}
