using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace BackupDr.TestKit.Servers;

/// <summary>What a mail server does with the next conversation.</summary>
public enum MailMood
{
    /// <summary>Takes the mail.</summary>
    Takes,
    /// <summary>Says 451 to the recipients: try again later.</summary>
    Defers,
    /// <summary>Says 554 to the recipients.</summary>
    Refuses,
    /// <summary>Takes the mail and goes away before it says so.</summary>
    CutAfterData,
}

/// <summary>A mail that was taken.</summary>
public sealed record TakenMail(string From, IReadOnlyList<string> To, string Headers, string Body)
{
    /// <summary>The value of a header, unfolded.</summary>
    public string Header(string name) => Headers.Replace("\r\n ", " ", StringComparison.Ordinal).Split("\r\n")
        .First(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))[(name.Length + 1)..].Trim();

    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Convert.FromBase64String(Body.Replace("\r\n", "", StringComparison.Ordinal)));
}

/// <summary>A mail server on loopback that speaks SMTP (RFC 5321), with moods.</summary>
public sealed class MailServer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Task _work;

    public MailServer()
    {
        _listener.Start();
        _work = Accept();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Abilities beside the greeting, for example "AUTH PLAIN".</summary>
    public IReadOnlyList<string> Abilities { get; set; } = [];

    /// <summary>One for each conversation; then it takes.</summary>
    public ConcurrentQueue<MailMood> Moods { get; } = [];

    /// <summary>What it took, also where it did not say so.</summary>
    public ConcurrentQueue<TakenMail> Mails { get; } = [];

    /// <summary>Every line that it was told, mails left out.</summary>
    public ConcurrentQueue<string> Heard { get; } = [];

    async Task Accept()
    {
        try
        {
            while (true) _ = Talk(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
        catch (OperationCanceledException) { return; }   // the test is over
    }

    async Task Talk(TcpClient client)
    {
        using var connection = client;
        try
        {
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.UTF8);
            await Say(stream, "220 mail.test ready");
            await Converse(stream, reader, Moods.TryDequeue(out var mood) ? mood : MailMood.Takes);
        }
        catch (IOException) { return; }   // the other side went away
    }

    async Task Converse(NetworkStream stream, StreamReader reader, MailMood mood)
    {
        var (from, to) = ("", new List<string>());
        while (await reader.ReadLineAsync(_stop.Token) is { } line)
        {
            Heard.Enqueue(line);
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            if (verb == "EHLO")
            {
                string[] lines = ["mail.test", .. Abilities];
                foreach (var (text, at) in lines.Select((text, at) => (text, at)))
                    await Say(stream, $"250{(at == lines.Length - 1 ? ' ' : '-')}{text}");
            }
            else if (verb == "AUTH") await Say(stream, "235 welcome");
            else if (verb == "MAIL")
            {
                from = line[(line.IndexOf('<') + 1)..line.IndexOf('>')];
                await Say(stream, "250 sender ok");
            }
            else if (verb == "RCPT")
            {
                to.Add(line[(line.IndexOf('<') + 1)..line.IndexOf('>')]);
                await Say(stream, mood switch
                {
                    MailMood.Defers => "451 4.7.1 greylisted, try again later",
                    MailMood.Refuses => "554 5.7.1 not here",
                    _ => "250 recipient ok",
                });
            }
            else if (verb == "DATA")
            {
                await Say(stream, "354 go ahead");
                Mails.Enqueue(await Mail(reader, from, to));
                if (mood == MailMood.CutAfterData) return;
                await Say(stream, $"250 2.0.0 queued as {Mails.Count}");
            }
            else if (verb == "QUIT")
            {
                await Say(stream, "221 bye");
                return;
            }
            else await Say(stream, "502 not understood");
        }
    }

    async Task<TakenMail> Mail(StreamReader reader, string from, List<string> to)
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync(_stop.Token) is { } line && line != ".") lines.Add(line.StartsWith('.') ? line[1..] : line);
        var split = lines.IndexOf("");
        return new TakenMail(from, to, string.Join("\r\n", lines.Take(split)), string.Join("\r\n", lines.Skip(split + 1)));
    }

    static async Task Say(NetworkStream stream, string line) => await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _work;
        _stop.Dispose();
    }
}
