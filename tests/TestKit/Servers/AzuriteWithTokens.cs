using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Diagnostics;
using Xunit;

namespace BackupDr.TestKit.Servers;

/// <summary>An Azurite that speaks TLS and takes tokens of Entra ID, for one test.</summary>
public sealed class AzuriteWithTokens : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly ScratchFolder _folder = new();
    readonly int _port = FreePorts.Find();
    GuardedProcess? _running;

    AzuriteWithTokens() { }

    /// <summary>Address of its account.</summary>
    public string Account => $"https://127.0.0.1:{_port}/devstoreaccount1";

    /// <summary>Starts one. Skips the test where it is not installed.</summary>
    /// <param name="certificate">Its certificate, with an exportable key.</param>
    public static async Task<AzuriteWithTokens> Start(X509Certificate2 certificate)
    {
        var made = new AzuriteWithTokens();
        try
        {
            var program = AzuriteServer.Find();
            using var key = certificate.GetECDsaPrivateKey()!;
            await File.WriteAllTextAsync(made._folder.At("cert.pem"), certificate.ExportCertificatePem());
            await File.WriteAllTextAsync(made._folder.At("key.pem"), key.ExportPkcs8PrivateKeyPem());
            made._running = new GuardedProcess(made._folder.At("azurite.out"),
                ["node", program, "--location", made._folder.Folder("blobs"), "--blobHost", "127.0.0.1", "--blobPort",
                    made._port.ToString(CultureInfo.InvariantCulture), "--silent", "--disableTelemetry", "--skipApiVersionCheck",
                    "--oauth", "basic", "--cert", made._folder.At("cert.pem"), "--key", made._folder.At("key.pem")]);
            await made.UntilItListens(made._running);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    async Task UntilItListens(GuardedProcess process)
    {
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            using var socket = new System.Net.Sockets.TcpClient();
            try
            {
                await socket.ConnectAsync("127.0.0.1", _port);
                return;
            }
            catch (System.Net.Sockets.SocketException)
            {
                if (process.HasEnded) Assert.Fail($"Azurite ended: {process.LastWords}");
            }
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"Azurite does not answer at {Account}.");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is not null) await _running.DisposeAsync();
        _folder.Dispose();
    }
}
