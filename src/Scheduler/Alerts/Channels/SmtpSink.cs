using System.Globalization;
using System.Text;
using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>E-mails.</summary>
sealed class SmtpSink(TimeProvider clock)
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(45), GoodbyeLimit = TimeSpan.FromSeconds(3);
    const int LongestLine = 76, LongestWord = 42;   // 42 bytes are 56 of base64, with what stands around them less than 75

    /// <summary>Sends one mail.</summary>
    public async Task<SinkAnswer> Send(ChannelSettings settings, string? password, MessageContent content, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Limit);
        try
        {
            await using var session = await SmtpSession.Open(settings.SmtpHost!, settings.SmtpPort, settings.SmtpSecurity,
                Egress.Authorities(settings), late.Token);
            if (settings.SmtpUser is { Length: > 0 } user) await session.SignIn(user, password ?? "", late.Token);
            var reply = await session.Send(settings.From!, settings.To, Mail(settings, content, clock.GetUtcNow()), late.Token);
            using var goodbye = CancellationTokenSource.CreateLinkedTokenSource(ct);
            goodbye.CancelAfter(GoodbyeLimit);
            await session.Quit(goodbye.Token);
            return new SinkAnswer(true, reply.ToString());
        }
        catch (Exception e) when (e is SmtpRefusedException or IOException) { return new SinkAnswer(false, e.Message); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new SinkAnswer(false, $"No end within {Limit.TotalSeconds:0} seconds.");
        }
    }

    /// <summary>The mail, in ASCII. Its Message-ID is the same in every try.</summary>
    internal static string Mail(ChannelSettings settings, MessageContent content, DateTimeOffset now)
    {
        var domain = settings.From!.Split('@')[^1];
        var mail = new StringBuilder();
        mail.Append(CultureInfo.InvariantCulture, $"Date: {now.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} +0000\r\n");
        mail.Append(CultureInfo.InvariantCulture, $"From: BackupDr <{settings.From}>\r\n");
        mail.Append(CultureInfo.InvariantCulture, $"To: {string.Join(",\r\n ", settings.To.Select(to => $"<{to}>"))}\r\n");
        mail.Append(CultureInfo.InvariantCulture, $"Subject: {Header(content.Subject)}\r\n");
        mail.Append(CultureInfo.InvariantCulture, $"Message-ID: <{content.Id}@{domain}>\r\n");
        mail.Append(CultureInfo.InvariantCulture, $"{HttpSink.KeyHeader}: {content.Id}\r\n");
        mail.Append("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
        mail.Append("Content-Transfer-Encoding: base64\r\n\r\n");
        var body = Convert.ToBase64String(Encoding.UTF8.GetBytes(content.Text.ReplaceLineEndings("\r\n")));
        for (var at = 0; at < body.Length; at += LongestLine)
            mail.Append(body, at, Math.Min(LongestLine, body.Length - at)).Append("\r\n");
        return mail.ToString();
    }

    /// <summary>Encoded words (RFC 2047), none of which cuts a character in two.</summary>
    static string Header(string text)
    {
        if (text.All(letter => letter is >= ' ' and <= '~') && text.Length <= LongestLine) return text;
        var (words, word) = (new List<string>(), new List<byte>());
        foreach (var rune in text.EnumerateRunes())
        {
            var bytes = Encoding.UTF8.GetBytes(rune.ToString());
            if (word.Count + bytes.Length > LongestWord) Flush();
            word.AddRange(bytes);
        }
        Flush();
        return string.Join("\r\n ", words);

        void Flush()
        {
            words.Add($"=?utf-8?B?{Convert.ToBase64String([.. word])}?=");
            word.Clear();
        }
    }
}
